-- after: 0021_documents
-- The marks of the anchors that a text names. A file is found by its name and by each longer end of
-- its path.
CREATE OR REPLACE FUNCTION anchors_in(content text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
    marks text[] := '{}';
    endings constant text :=
        '(?:py|pyi|js|mjs|ts|tsx|jsx|go|rs|java|kt|swift|scala|c|h|cc|cpp|hpp|cs|rb|php|lua|pl|r|jl'
        || '|sh|bash|ps1|sql|md|rst|txt|json|jsonl|ya?ml|toml|ini|cfg|conf|env|lock|html?|css|scss'
        || '|vue|svelte|xml|csv|tsv|proto|ipynb|tf|gradle|log)';
BEGIN
    IF content ~ '\d' THEN
        marks := marks || ARRAY(
            SELECT anchor_mark('pr', m[1])
            FROM regexp_matches(
                content,
                '(?:\m(?:pr|mr|pull request|merge request)\s?[-#!:]{0,2}\s?'
                || '|/(?:pull|merge_requests)/'
                || '|(?<![\w#&/]|issue |issues |ticket )#(?=\d\d))(\d{1,9})\M', 'gi'
            ) m
        ) || ARRAY(
            SELECT anchor_mark('session', m[1])
            FROM regexp_matches(content,
                '\msession(?: id)?\s?[:=#]?\s?["''`]?([a-z0-9_.:-]*\d[a-z0-9_.:-]*[a-z0-9])',
                'gi') m
        );
    END IF;
    IF content ~ '\.\w' THEN
        marks := marks || ARRAY(
            SELECT anchor_mark('file', array_to_string(parts[n:], '/'))
            FROM regexp_matches(content,
                '((?:[\w.@+~-]*/)*[\w.@+-]*\w\.' || endings || ')\M(?!/|\.\w)', 'gi') m
            CROSS JOIN LATERAL string_to_array(m[1], '/') parts
            CROSS JOIN LATERAL generate_series(1, cardinality(parts)) n
        );
    END IF;
    IF content ~ '/|branch' THEN
        marks := marks || ARRAY(
            SELECT anchor_mark('branch', coalesce(m[1], m[2], m[3]))
            FROM regexp_matches(
                content,
                '\mbranch\s?:?\s?(?:["''`]([\w./-]*\w)["''`]'
                || '|([\w.]*[-/][\w./-]*\w|main|master|develop|trunk|staging)\M)'
                || '|(?<![\w./-])((?:feature|feat|fix|bugfix|hotfix|release|chore|refactor)/'
                || '[\w./-]*\w)', 'gi'
            ) m
        ) || ARRAY(
            SELECT anchor_mark('cwd', m[1])
            FROM regexp_matches(content, '(?:^|[\s"''`(=:])(~?/[\w.@+-]+(?:/[\w.@+-]+)+)', 'gi') m
        );
    END IF;
    RETURN ARRAY(
        SELECT DISTINCT mark FROM unnest(marks) mark WHERE mark IS NOT NULL ORDER BY mark LIMIT 100
    );
END $$;

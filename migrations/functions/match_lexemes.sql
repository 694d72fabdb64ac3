-- after: 0021_documents
-- The lexical route. Runs as the owner, because under a policy the planner refuses the index of @@
-- (it is not leakproof); the same predicate is written out inside. Candidates come from the rarest
-- lexemes that hold `enough` chunks together, so that the number ranked, and the cost, does not
-- grow with the corpus. What a repeated lexeme adds saturates as ts_rank has it. The arithmetic is
-- written out as one expression a lexeme, which a sub-select over the lexemes would cost several
-- times; what ranks a chunk says what it covers as well, so that its lexemes are read once and not
-- carried through the sort.
CREATE OR REPLACE FUNCTION match_lexemes(
    wanted text[], narrowed search_filter, max_rows integer, enough integer DEFAULT 1000
) RETURNS TABLE (chunk_id bigint, score real, coverage real)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
SET synchronize_seqscans = off AS $$
DECLARE
    ordered text[];
    counts  bigint[];
    ranks   text;
    weighed text;
    covered text;
    mine    tsquery := as_query(owner_lexemes(current_agent(), true));
    seekers tsquery;
    used    integer := 1;
BEGIN
    SELECT array_agg(w.lexeme), array_agg(w.chunks),
           string_agg(
               format('ts_rank(c.lexemes, %L) AS r%s', as_query(ARRAY[w.lexeme]), w.place), ', '
           ),
           string_agg(format('%s * r%s', w.weight, w.place), ' + '),
           '(' || string_agg(
               format('CASE WHEN r%s > 0 THEN %s ELSE 0 END', w.place, w.weight), ' + '
           ) || ') / '
               || sum(w.weight)
    INTO ordered, counts, ranks, weighed, covered
    FROM weigh_lexemes(wanted) WITH ORDINALITY w (lexeme, chunks, weight, place);
    IF ordered IS NULL THEN
        RETURN;
    END IF;
    WHILE used < cardinality(ordered)
          AND (SELECT sum(n) FROM unnest(counts[:used + 1]) n) <= enough LOOP
        used := used + 1;
    END LOOP;
    seekers := as_query(ordered[:used]);
    IF counts[1] > 4 * enough AND cardinality(ordered) > 1 THEN
        -- Every word is common: those that stand beside another of the query come first.
        seekers := seekers && as_query(ordered[2:3]);
    END IF;
    -- ts_rank gives a lexeme that stands once .1 (its weight D) over π²/6: times 16.45 it counts 1.
    -- A chunk of 100 tokens is neither favoured nor held back by its length (BM25's b = .25).
    RETURN QUERY EXECUTE format(
        $q$
        SELECT best.id, best.score, (%3$s)::real
        FROM (
            SELECT found.*, ((%2$s) * 16.45 / (0.75 + 0.25 * found.tokens / 100.0))::real AS score
            FROM (
                SELECT c.id, c.tokens, %1$s
                FROM chunks c
                WHERE c.lexemes @@ $1 AND admits(c, $2)
                LIMIT $3
            ) found
            ORDER BY score DESC, found.id DESC
            LIMIT $4
        ) best
        ORDER BY best.score DESC, best.id DESC
        $q$, ranks, weighed, covered
    ) USING seekers && mine, narrowed, 2 * enough, max_rows;
END $$;

-- after: 0021_documents
-- What a text is like: whether it asks something, and whether it names a time. For the ranking.
CREATE OR REPLACE FUNCTION note_traits() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.asks := NEW.text ~ '[?？؟]';
    NEW.dated := NEW.text ~*
        ('\m(yesterday|today|tonight|tomorrow|ago|recently|since|weekend|deadline'
        || '|(last|next|this) (night|week|month|year|morning|afternoon|evening'
        || '|summer|winter|spring|fall)'
        || '|(mon|tues|wednes|thurs|fri|satur|sun)day'
        || '|january|february|march|april|june|july|august|september|october|november|december'
        || '|(19|20)\d\d|\d{1,2}(st|nd|rd|th)'
        || '|(few|two|three|four|five|six|\d+) (days|weeks|months|years))\M');
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER note_traits BEFORE INSERT OR UPDATE OF text ON chunks
FOR EACH ROW EXECUTE FUNCTION note_traits();

DROP FUNCTION mend_lexeme(text, text[]);

DELETE FROM chunks WHERE source = 'transcripts';
DROP INDEX chunks_session;
DROP INDEX chunks_message;
ALTER TABLE chunks DROP CONSTRAINT chunks_message_fkey;
DROP TABLE transcript_files;
DROP TABLE summaries;
DROP TABLE session_messages;
DROP TABLE sessions;

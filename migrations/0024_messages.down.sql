DROP TABLE wake_jobs;
DROP TABLE wake_attempts;
DROP TABLE wake_leases;
DROP TABLE wake_routes;
DROP TABLE deliveries;
DROP TABLE messages;
DROP TABLE channel_subscriptions;
DROP TABLE agents;

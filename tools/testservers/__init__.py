"""PostgreSQL, RabbitMQ and Redis for tests: private, forgetful, ended whatever was killed."""

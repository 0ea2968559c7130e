//! A worker for each connection.

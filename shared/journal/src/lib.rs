//! What is stored: records of executions, machines, activities, listings; over ports.

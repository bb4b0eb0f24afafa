"""What is said about running Boxoffice, held against what Boxoffice is."""

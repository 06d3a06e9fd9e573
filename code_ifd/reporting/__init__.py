"""What people look at: the report page, its figures, the agreement of two scorers."""

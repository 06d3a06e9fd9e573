"""What the reviews say: scores, the verdict and how far to trust it, as text, figure and page."""

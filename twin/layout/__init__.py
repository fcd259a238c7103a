"""What is marked on a floor: seen from above, and proposed as a plan where there is none."""

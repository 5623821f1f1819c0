"""What every port shares as an experiment: studies, claims, runs, stored results, pages."""

"""One file for each place rows come from and tuning runs. Vendor names and exceptions stay inside these files."""

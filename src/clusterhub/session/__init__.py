"""What runs inside the job."""

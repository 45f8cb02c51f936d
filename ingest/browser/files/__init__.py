"""What is downloaded: whole CSV files, pictures, the script that draws charts."""

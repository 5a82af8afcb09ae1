"""Other questions than "how long does one prediction take": throughput, a camera's pace, heat, starting, threads."""

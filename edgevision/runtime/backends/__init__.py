"""One file per engine; the file name is the backend name and the name of the extra that installs it."""

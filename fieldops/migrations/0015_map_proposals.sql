-- What is said to be drawn wrong on the map, and tracks that crews walked.
SELECT 1;

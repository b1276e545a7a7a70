-- Districts, and what tablets fetch of them.
SELECT 1;

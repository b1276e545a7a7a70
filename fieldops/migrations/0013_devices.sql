-- Tablets, and the codes that release a valve by phone.
SELECT 1;

-- What a tablet made smaller before it sent it: the hash of the file as the camera wrote it.
ALTER TABLE photo ADD COLUMN original_sha256 text
    CONSTRAINT ck_photo_original_sha256_is_hex CHECK (original_sha256 ~ '^[0-9a-f]{64}$');

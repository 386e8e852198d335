int base64_dummy(void);

int base64_dummy(void){return 0;}

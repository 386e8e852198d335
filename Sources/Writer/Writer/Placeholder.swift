enum WriterPlaceholder {}

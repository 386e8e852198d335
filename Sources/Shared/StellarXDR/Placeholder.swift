enum StellarXDRPlaceholder {}

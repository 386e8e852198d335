enum FetcherPlaceholder {}

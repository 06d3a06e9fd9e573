"""Which records are chosen: the arithmetic of IFD, the flags of step 3, the columns of a scored dataset. No torch."""

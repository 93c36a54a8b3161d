// Owns the one width at which the layout changes; styles/narrow.css has the same number.
export const WIDE = window.matchMedia('(min-width: 56rem)');

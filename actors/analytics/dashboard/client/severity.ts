/** How far out of the usual, in a word. Pure. */
export function severity(score: number): 'Very unusual' | 'Unusual' | 'Slightly unusual' {
  if (score >= 0.9) return 'Very unusual'
  return score >= 0.7 ? 'Unusual' : 'Slightly unusual'
}

/**
 * Runs before the first paint, as a classic script: puts on the colours that were chosen last, so that nobody is
 * blinded by a flash of the other ones.
 */

{
  try {
    const theme = localStorage.getItem('weir.theme')
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  } catch {
    // Storage may be forbidden: the system's colours are fine.
  }
}

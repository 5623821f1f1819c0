"use strict";
// The closed forms of the library, in the same words: ntkexec/theory/kernel.py and predictor.py.
const theory = (() => {
  const ORTHOGONAL = 1 / (2 * Math.PI), GAP = 1 - ORTHOGONAL;

  // (1 - u)(1 + u) and not 1 - u^2: next to 1 the square would cancel.
  const sine = (u) => Math.sqrt((1 - u) * (1 + u));
  const arccosine0 = (u) => (Math.PI - Math.atan2(sine(u), u)) / Math.PI;
  const arccosine1 = (u) => sine(u) / Math.PI + u * arccosine0(u);
  const nngp = (u) => arccosine1(u) / 2;
  const ntk = (u) => (arccosine1(u) + u * arccosine0(u)) / 2;
  const cosine = (m) => 1 / Math.sqrt(Math.max(m, 1));

  // What a matched and an unmatched writer add to the mean of a bit, at m matches of n0 templates.
  function coefficients(m, n0) {
    if (m === 0) return { alpha: 0, beta: 0 };
    if (m === 1) return { alpha: 1, beta: 0 };
    const c = ORTHOGONAL, kernel = ntk(cosine(m)), excess = kernel - c;
    const scale = 1 / (GAP * (GAP + c * n0));
    return {
      alpha: (GAP * kernel + c * (n0 - m) * excess) * scale,
      beta: c * (GAP - m * excess) * scale,
    };
  }

  // Of one network's output over initialisations, at weight_std 1; it grows with weight_std^4.
  function variance(m, n0) {
    if (m <= 1) return 0;
    const { alpha, beta } = coefficients(m, n0), c = ORTHOGONAL, rest = n0 - m;
    const prior = (0.5 - c) * (m * alpha ** 2 + rest * beta ** 2) + c * (m * alpha + rest * beta) ** 2;
    const cross = m * alpha * nngp(cosine(m)) + rest * beta * c;
    return Math.max(0, (0.5 + prior - 2 * cross) / n0);
  }

  // Of one output at two sets of m and other matches, of which o are common; at weight_std 1.
  function covariance(m, other, o, n0) {
    if (m <= 1 || other <= 1) return 0;
    const c = ORTHOGONAL, one = coefficients(m, n0), two = coefficients(other, n0);
    const neither = n0 - m - other + o;
    const product = o * one.alpha * two.alpha + (m - o) * one.alpha * two.beta
      + (other - o) * one.beta * two.alpha + neither * one.beta * two.beta;
    const sums = (m * one.alpha + (n0 - m) * one.beta) * (other * two.alpha + (n0 - other) * two.beta);
    const cross = nngp(cosine(m)) * (o * two.alpha + (m - o) * two.beta)
      + c * ((other - o) * two.alpha + neither * two.beta);
    const cross2 = nngp(cosine(other)) * (o * one.alpha + (other - o) * one.beta)
      + c * ((m - o) * one.alpha + neither * one.beta);
    const prior = nngp(Math.min(1, o * cosine(m) * cosine(other)));
    return (prior + (0.5 - c) * product + c * sums - cross - cross2) / n0;
  }

  // The probability that a standard Gaussian exceeds x.
  function upperTail(x) {
    if (x < 0) return 1 - upperTail(-x);
    if (x > 38) return 0;
    const density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    if (x < 3) {
      // Phi(x) - 1/2 = density * (x + x^3/3 + x^5/15 + ...)
      let term = x, sum = x;
      for (let k = 3; term > sum * 1e-17; k += 2) { term *= x * x / k; sum += term; }
      return 0.5 - density * sum;
    }
    let fraction = x;
    for (let k = 120; k >= 1; k--) fraction = x + k / fraction;
    return density / fraction;
  }

  // Wilson's interval at 95 % for a frequency.
  function interval(hits, trials) {
    if (!trials) return [0, 1];
    const z = 1.959964, p = hits / trials, q = z * z / trials;
    const middle = (p + q / 2) / (1 + q), half = z * Math.sqrt(p * (1 - p) / trials + q / trials / 4) / (1 + q);
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  }

  // Uniform and Gaussian numbers that follow from a seed (sfc32).
  function generator(seed, stream = 0) {
    let a = 0x9e3779b9 ^ stream, b = seed | 0, c = 0x243f6a88, d = 1, spare = null;
    const next = () => {
      const t = (((a + b) | 0) + d) | 0;
      d = (d + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = ((c << 21) | (c >>> 11)) + t | 0;
      return t >>> 0;
    };
    for (let i = 0; i < 20; i++) next();
    const uniform = () => ((next() >>> 5) * 67108864 + (next() >>> 6) + 0.5) / 9007199254740992;
    const normal = () => {
      if (spare !== null) { const kept = spare; spare = null; return kept; }
      const radius = Math.sqrt(-2 * Math.log(uniform())), angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    };
    return { uniform, normal };
  }

  return { coefficients, variance, covariance, upperTail, interval, generator };
})();

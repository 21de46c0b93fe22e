/**
 * Colours with a meaning: the owner of a slot, and its load.
 *
 * Owners have the colours of Okabe and Ito, which colour-blind people can distinguish, then darker and
 * lighter ones. With more groups than colours, the number decides. Load has cividis, whose lightness
 * grows evenly for everybody.
 *
 * @module
 */

/** @typedef {readonly [red: number, green: number, blue: number]} Rgb */

/** @type {readonly Rgb[]} */
const OKABE_ITO = [
  [0x00, 0x72, 0xb2],
  [0xe6, 0x9f, 0x00],
  [0x00, 0x9e, 0x73],
  [0xcc, 0x79, 0xa7],
  [0x56, 0xb4, 0xe9],
  [0xd5, 0x5e, 0x00],
  [0xf0, 0xe4, 0x42],
];
/** @type {Rgb} */
const BLACK = [0, 0, 0];
/** @type {Rgb} */
const WHITE = [255, 255, 255];
/** How much of black or white is in the second and the third set. */
const DARKER = 0.42;
const LIGHTER = 0.5;

/** @type {readonly Rgb[]} */
const OWNERS = [
  ...OKABE_ITO,
  ...OKABE_ITO.map((rgb) => mixed(rgb, BLACK, DARKER)),
  ...OKABE_ITO.map((rgb) => mixed(rgb, WHITE, LIGHTER)),
];

/** Cividis, in nine steps from nothing to the most. @type {readonly Rgb[]} */
const CIVIDIS = [
  [0x00, 0x22, 0x4e],
  [0x12, 0x35, 0x70],
  [0x3b, 0x49, 0x6c],
  [0x57, 0x5d, 0x6d],
  [0x70, 0x71, 0x73],
  [0x8a, 0x86, 0x78],
  [0xa5, 0x9c, 0x74],
  [0xd1, 0xbf, 0x59],
  [0xfe, 0xe8, 0x38],
];

/**
 * The colour of a group, the same for as long as it has its number.
 *
 * @param {number} groupId From 0.
 */
export function ownerColour(groupId) {
  return css(ownerRgb(groupId));
}

/**
 * Black or white, whichever is readable on the colour of a group.
 *
 * @param {number} groupId From 0.
 */
export function ownerInk(groupId) {
  return inkOn(ownerRgb(groupId));
}

/**
 * The colour of a load. The scale follows the square root, so that small loads still differ.
 *
 * @param {number} share 0, nothing, to 1, the most there is.
 */
export function loadColour(share) {
  const place = Math.sqrt(Math.min(1, Math.max(0, share))) * (CIVIDIS.length - 1);
  const step = Math.min(CIVIDIS.length - 2, Math.floor(place));
  return css(mixed(CIVIDIS[step] ?? BLACK, CIVIDIS[step + 1] ?? WHITE, place - step));
}

/** @param {number} groupId */
function ownerRgb(groupId) {
  return OWNERS[Math.max(0, groupId - 1) % OWNERS.length] ?? BLACK;
}

/**
 * @param {Rgb} from
 * @param {Rgb} to
 * @param {number} share Of `to`.
 * @returns {Rgb}
 */
function mixed(from, to, share) {
  const part = (/** @type {0 | 1 | 2} */ i) => Math.round(from[i] + (to[i] - from[i]) * share);
  return [part(0), part(1), part(2)];
}

/** @param {Rgb} rgb */
function css([red, green, blue]) {
  return `rgb(${red}, ${green}, ${blue})`;
}

/**
 * @param {Rgb} rgb By the relative luminance of WCAG; 0.18 is where black and white read alike.
 */
function inkOn(rgb) {
  const [red, green, blue] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
  return luminance > 0.18 ? "#000" : "#fff";
}

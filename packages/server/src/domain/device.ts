import Bowser from 'bowser';

/** A device in words for people. */
interface DeviceDescription {
  browser: string | null;
  system: string | null;
}

/** Programs that bowser does not know. */
const PROGRAMS: [RegExp, string][] = [
  [/^curl\//i, 'curl'],
  [/^wget\//i, 'Wget'],
  [/^okhttp\//i, 'OkHttp'],
  [/^python-requests\//i, 'Python'],
  [/^(node|undici)/i, 'Node.js'],
  [/^PostmanRuntime\//i, 'Postman'],
];

/** Describes a User-Agent header. System versions are left out, because browsers freeze them (macOS 10.15.7, Android 10). */
export function describeUserAgent(userAgent: string): DeviceDescription {
  if (userAgent === '') return { browser: null, system: null };
  for (const [pattern, name] of PROGRAMS) if (pattern.test(userAgent)) return { browser: name, system: null };
  const parsed = Bowser.parse(userAgent.slice(0, 512));
  return { browser: parsed.browser.name || null, system: parsed.os.name || null };
}

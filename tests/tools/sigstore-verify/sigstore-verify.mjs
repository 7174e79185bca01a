// Verifies a Sigstore bundle with Sigstore's JavaScript library, which shares no code with the Python and Go ones.
// Prints what it found as JSON; exit code 1 and the library's own words when it refuses.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

const usage = `usage: sigstore-verify --trusted-root FILE --certificate-identity NAME --certificate-oidc-issuer URL BUNDLE [ARTIFACT]`;
const options = {
  'trusted-root': { type: 'string' },
  'certificate-identity': { type: 'string' },
  'certificate-oidc-issuer': { type: 'string' },
};

function verify(words, files) {
  const json = (file) => JSON.parse(readFileSync(file, 'utf8'));
  const bundle = bundleFromJSON(json(files[0]));
  const material = toTrustMaterial(TrustedRoot.fromJSON(json(words['trusted-root'])));
  const artifact = files[1] === undefined ? undefined : readFileSync(files[1]);
  const identity = words['certificate-identity'];
  // the library takes the name for a regular expression, which may match anywhere
  const exactly = `^${identity.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  const policy = { subjectAlternativeName: exactly, extensions: { issuer: words['certificate-oidc-issuer'] } };
  const signer = new Verifier(material).verify(toSignedEntity(bundle, artifact), policy);
  return { identity: signer.identity.subjectAlternativeName, issuer: signer.identity.extensions.issuer };
}

const { values, positionals } = parseArgs({ options, allowPositionals: true });
if (Object.keys(options).some((name) => values[name] === undefined) || ![1, 2].includes(positionals.length)) {
  console.error(usage);
  process.exit(2);
}
try {
  console.log(JSON.stringify(verify(values, positionals)));
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`);
  process.exit(1);
}

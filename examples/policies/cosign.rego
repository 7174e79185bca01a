# Which verification summary attestations (VSA) count, for cosign ≥ 3.1:
#
#   cosign verify-attestation --type https://slsa.dev/verification_summary/v1 --key vsa.pub --insecure-ignore-tlog \
#       --policy cosign.rego ghcr.io/octo/app@sha256:…
#
# It protects from images that did not pass `intoto-action verify`. cosign itself looks at the signature, the digest and
# the type; without --policy it accepts a VSA that says FAILED, or that was issued for another repository.
#
# It does not protect from what happened since: a VSA outlives the layout's expiry and every revocation. When a layout is
# replaced or a key revoked, make a new VSA key, run verify over what is deployed, and give cosign the new key.
# cosign wants every VSA by that key on the image to fit: so one key for one policy, and none for anything else.
package signature

default allow = false

repository := "ghcr.io/octo/app"

allow {
	input.predicateType == "https://slsa.dev/verification_summary/v1"
	input.predicate.verifier.id == "https://github.com/org/intoto-action/verify"
	input.predicate.verificationResult == "PASSED"
	input.predicate.verifiedLevels[_] == "INTOTO_ACTION_LAYOUT_PASSED"
	count(input.subject) == 1
	input.predicate.resourceUri == sprintf("%s@sha256:%s", [repository, input.subject[0].digest.sha256])
	# To tie it to one layout (`intoto-action layout show` prints the digest):
	# input.predicate.policy.digest.sha256 == "…"
}

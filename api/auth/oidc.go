package auth

// OIDC signs people in with an OpenID Connect provider.
type OIDC struct{}

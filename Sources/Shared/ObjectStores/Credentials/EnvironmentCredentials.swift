/// Keys in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
package struct EnvironmentCredentials: AuthorizationProvider {
    package let environment: [String: String]
    package let name = "AWS_ACCESS_KEY_ID"

    package func authorization() throws(ObjectStoreError) -> Expiring<Authorization>? {
        let key = environment.setting("AWS_ACCESS_KEY_ID")
        let secret = environment.setting("AWS_SECRET_ACCESS_KEY")
        guard key != nil || secret != nil else { return nil }
        guard let key else {
            throw ObjectStoreError(.noCredentials, "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID; set both or none")
        }
        guard let secret else { throw ObjectStoreError(.noCredentials, "it is set without AWS_SECRET_ACCESS_KEY; set both or none") }
        return Expiring(value: .keys(AccessKeys(key, secret, sessionToken: environment.setting("AWS_SESSION_TOKEN"))))
    }
}

/// A key in `GCS_HMAC_ACCESS_KEY_ID` and `GCS_HMAC_SECRET`: Google checks the signatures of AWS with it.
package struct HMACKey: AuthorizationProvider {
    package let environment: [String: String]
    package let name = "GCS_HMAC_ACCESS_KEY_ID"

    package func authorization() throws(ObjectStoreError) -> Expiring<Authorization>? {
        let key = environment.setting("GCS_HMAC_ACCESS_KEY_ID")
        let secret = environment.setting("GCS_HMAC_SECRET")
        guard key != nil || secret != nil else { return nil }
        guard let key, let secret else {
            throw ObjectStoreError(.noCredentials, "one of GCS_HMAC_ACCESS_KEY_ID and GCS_HMAC_SECRET is not set; set both or none")
        }
        return Expiring(value: .keys(AccessKeys(key, secret)))
    }
}

package config

// proxy checks a proxy section. Without one there is nothing to check.
func (v *validator) proxy(proxy Value, path string, written bool) {
	if !written {
		return
	}
	example := v.schema.section("proxy")
	if proxy.kind != Map {
		// Another kind than a boolean was reported where the section was found.
		if proxy.kind == Bool {
			v.typeError(proxy, path, Map)
		}
		return
	}
	v.against(proxy, example, path)
	ssl := proxy.sub("ssl")
	if !proxy.sub("host").Present() && !proxy.sub("hosts").Present() && ssl.truthy() {
		v.fail(ssl.at, path, "Must set a host to enable automatic SSL", "set host: to the name that the certificate is for")
	}
	if proxy.has("host") && proxy.has("hosts") {
		v.fail(proxy.sub("hosts").at, path, "Specify one of 'host' or 'hosts', not both", "put all names below hosts:")
	}
	v.certificate(ssl, path)
	run := proxy.sub("run")
	if run.sub("publish").IsFalse() && (run.sub("bind_ips").Present() || run.sub("http_port").Present() || run.sub("https_port").Present()) {
		v.fail(run.sub("publish").at, path, "Cannot set http_port, https_port or bind_ips when publish is false", "remove them, or publish: false")
	}
}

// Private

func (v *validator) certificate(ssl Value, path string) {
	if ssl.kind != Map {
		return
	}
	certificate, key := ssl.sub("certificate_pem").Present(), ssl.sub("private_key_pem").Present()
	if certificate && !key {
		v.fail(ssl.at, path, "Missing private_key_pem setting (required when certificate_pem is present)", "name the secret with the key")
	}
	if key && !certificate {
		v.fail(ssl.at, path, "Missing certificate_pem setting (required when private_key_pem is present)", "name the secret with the certificate")
	}
}

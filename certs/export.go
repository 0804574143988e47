package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"text/template"

	"software.sslmate.com/src/go-pkcs12"
)

// Format is a form in which clients take certificates of authorities.
type Format string

const (
	PEM          Format = "pem"
	DER          Format = "der"          // one certificate
	PKCS12       Format = "p12"          // certificates only, empty password
	MobileConfig Format = "mobileconfig" // profile for iOS and macOS, unsigned
)

// Formats are all of them.
var Formats = []Format{PEM, DER, PKCS12, MobileConfig}

// MediaType is what HTTP calls the format.
func (f Format) MediaType() string {
	switch f {
	case PEM:
		return "application/x-pem-file"
	case DER:
		return "application/x-x509-ca-cert"
	case PKCS12:
		return "application/x-pkcs12"
	case MobileConfig:
		return "application/x-apple-aspen-config"
	}
	return "application/octet-stream"
}

// Extension is the end of a file's name in the format, without the dot. For DER
// it is what Windows and Android expect.
func (f Format) Extension() string {
	if f == DER {
		return "cer"
	}
	return string(f)
}

// Export encodes certificates for clients to install; there is no key in it.
// DER holds the first one only. The same certificates give the same octets, but
// for PKCS12, which is salted.
func Export(f Format, certs []*x509.Certificate) ([]byte, error) {
	if len(certs) == 0 {
		return nil, errors.New("export authority: no certificate")
	}
	switch f {
	case PEM:
		return encodeCertificates(certs), nil
	case DER:
		return bytes.Clone(certs[0].Raw), nil
	case PKCS12:
		data, err := pkcs12.Modern2023.EncodeTrustStore(certs, "")
		if err != nil {
			return nil, fmt.Errorf("export authority: %v", err)
		}
		return data, nil
	case MobileConfig:
		return mobileConfig(certs)
	}
	return nil, fmt.Errorf("export authority: unknown format %q, want pem, der, p12 or mobileconfig", f)
}

var mobileConfigTemplate = template.Must(template.New("mobileconfig").Parse(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>PayloadContent</key>
	<array>
{{- range .Payloads}}
		<dict>
			<key>PayloadCertificateFileName</key>
			<string>clearspan-ca-{{.ID}}.cer</string>
			<key>PayloadContent</key>
			<data>{{.Content}}</data>
			<key>PayloadDisplayName</key>
			<string>{{html .Name}}</string>
			<key>PayloadIdentifier</key>
			<string>clearspan.authority.{{.ID}}</string>
			<key>PayloadType</key>
			<string>com.apple.security.{{if .Root}}root{{else}}pkcs1{{end}}</string>
			<key>PayloadUUID</key>
			<string>{{.UUID}}</string>
			<key>PayloadVersion</key>
			<integer>1</integer>
		</dict>
{{- end}}
	</array>
	<key>PayloadDescription</key>
	<string>Installs the certificate of an inspection authority. Traffic of this device can then be decrypted.</string>
	<key>PayloadDisplayName</key>
	<string>{{html (index .Payloads 0).Name}}</string>
	<key>PayloadIdentifier</key>
	<string>clearspan.authority</string>
	<key>PayloadType</key>
	<string>Configuration</string>
	<key>PayloadUUID</key>
	<string>{{.UUID}}</string>
	<key>PayloadVersion</key>
	<integer>1</integer>
</dict>
</plist>
`))

type payload struct {
	ID, Name, UUID, Content string
	Root                    bool
}

func mobileConfig(certs []*x509.Certificate) ([]byte, error) {
	var profile struct {
		Payloads []payload
		UUID     string
	}
	all := sha256.New()
	for _, cert := range certs {
		sum := sha256.Sum256(cert.Raw)
		all.Write(sum[:])
		profile.Payloads = append(profile.Payloads, payload{
			ID: fmt.Sprintf("%x", sum[:8]), Name: cert.Subject.CommonName, UUID: uuid(sum[:]),
			Content: base64.StdEncoding.EncodeToString(cert.Raw), Root: selfSigned(cert),
		})
	}
	profile.UUID = uuid(all.Sum(nil))
	var out bytes.Buffer
	if err := mobileConfigTemplate.Execute(&out, profile); err != nil {
		return nil, fmt.Errorf("export authority: %v", err)
	}
	return out.Bytes(), nil
}

// uuid makes a version 8 UUID (RFC 9562, Section 5.8) of a hash, so that a
// profile that is installed again replaces itself.
func uuid(hash []byte) string {
	b := bytes.Clone(hash[:16])
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

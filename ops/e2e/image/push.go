package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// The media types of the registry's image manifest, version 2, schema 2.
const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// Push stores the image as repository:tag in the registry at base, a plain
// http URL, by the registry's HTTP API V2. Blobs that are there already are
// not sent again.
func (i Image) Push(ctx context.Context, base, repository, tag string) error {
	config, err := i.config()
	if err != nil {
		return fmt.Errorf("describing image %s:%s: %w", repository, tag, err)
	}
	to := pusher{base: strings.TrimSuffix(base, "/") + "/v2/" + repository}

	manifest := manifest{SchemaVersion: 2, MediaType: manifestType}
	for _, layer := range i.Layers {
		part, err := to.blob(ctx, layerType, layer.zipped)
		if err != nil {
			return fmt.Errorf("pushing a layer of %s:%s: %w", repository, tag, err)
		}
		manifest.Layers = append(manifest.Layers, part)
	}
	if manifest.Config, err = to.blob(ctx, configType, config); err != nil {
		return fmt.Errorf("pushing the config of %s:%s: %w", repository, tag, err)
	}
	body, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	_, err = to.send(ctx, http.MethodPut, to.base+"/manifests/"+tag, manifestType, body)
	if err != nil {
		return fmt.Errorf("pushing the manifest of %s:%s: %w", repository, tag, err)
	}
	return nil
}

// Private

type descriptor struct {
	MediaType string `json:"mediaType"`
	Size      int    `json:"size"`
	Digest    string `json:"digest"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type pusher struct{ base string }

func (p pusher) blob(ctx context.Context, mediaType string, content []byte) (descriptor, error) {
	part := descriptor{MediaType: mediaType, Size: len(content), Digest: "sha256:" + hexOf(content)}
	if _, err := p.send(ctx, http.MethodHead, p.base+"/blobs/"+part.Digest, "", nil); err == nil {
		return part, nil
	}
	header, err := p.send(ctx, http.MethodPost, p.base+"/blobs/uploads/", "", nil)
	if err != nil {
		return part, err
	}
	place, err := p.resolve(header.Get("Location"), part.Digest)
	if err != nil {
		return part, err
	}
	_, err = p.send(ctx, http.MethodPut, place, "application/octet-stream", content)
	return part, err
}

func (p pusher) resolve(location, digest string) (string, error) {
	base, err := url.Parse(p.base)
	if err != nil {
		return "", err
	}
	place, err := base.Parse(location)
	if err != nil {
		return "", err
	}
	query := place.Query()
	query.Set("digest", digest)
	place.RawQuery = query.Encode()
	return place.String(), nil
}

func (p pusher) send(ctx context.Context, method, address, contentType string, body []byte) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return nil, fmt.Errorf("%s %s: %s %s", method, address, response.Status, bytes.TrimSpace(text))
	}
	return response.Header, nil
}

package config

import "testing"

func BenchmarkLoad(b *testing.B) {
	options := testProject(b, richFile, Options{Version: "v1"})
	for b.Loop() {
		if _, _, err := Load(b.Context(), options); err != nil {
			b.Fatal(err)
		}
	}
}

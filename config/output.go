package config

// Output is where the output of commands goes besides the screen.
type Output struct {
	// OTelEndpoint is the base URL of an OTLP receiver, or "".
	OTelEndpoint string
	// FilePath is a local folder for log files, or "".
	FilePath string
}

// Private

func newOutput(section Value) Output {
	return Output{
		OTelEndpoint: section.sub("otel", "endpoint").String(),
		FilePath:     section.sub("file", "path").String(),
	}
}

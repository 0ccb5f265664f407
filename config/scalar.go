package config

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The patterns by which Ruby's Psych tells what a plain scalar is.
var (
	scalarWord    = regexp.MustCompile(`^[^\d.:-]?[\pL\pM_\s\v!@#$%\^&*(){}<>|/\\~;=]+`)
	scalarTime    = regexp.MustCompile(`^-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?$`)
	scalarDate    = regexp.MustCompile(`^\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)$`)
	scalarBase60  = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}$`)
	scalarFloat60 = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}\.[0-9_]*$`)
	scalarFloat   = regexp.MustCompile(`^(?:[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?)$`)
	scalarInt     = regexp.MustCompile(`^(?:[-+]?0b[0-1_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|[-+]?0x[0-9a-fA-F_,]+)$`)
	scalarSymbol  = regexp.MustCompile(`^:(?:"(.*)"|'(.*)')`)
)

// plainScalar reads an unquoted scalar as Psych 4 does.
func plainScalar(s string) Value {
	switch {
	case s == "":
		return Value{}
	case scalarWord.MatchString(s) || strings.Contains(s, "\n"):
		return wordScalar(s)
	case scalarTime.MatchString(s):
		return Value{kind: Time, text: s}
	case scalarDate.MatchString(s):
		return dateScalar(s)
	}
	switch strings.ToLower(s) {
	case ".inf", "+.inf":
		return floatValue(math.Inf(1))
	case "-.inf":
		return floatValue(math.Inf(-1))
	case ".nan":
		return floatValue(math.NaN())
	}
	switch {
	case len(s) > 1 && s[0] == ':':
		return symbolScalar(s)
	case scalarBase60.MatchString(s):
		return base60Int(s)
	case scalarFloat60.MatchString(s):
		return base60Float(s)
	case scalarFloat.MatchString(s):
		return floatScalar(s)
	case scalarInt.MatchString(s):
		return intScalar(s)
	}
	return StringValue(s)
}

// Private

func wordScalar(s string) Value {
	if utf8.RuneCountInString(s) > 5 {
		return StringValue(s)
	}
	switch strings.ToLower(s) {
	case "~", "null":
		return Value{}
	case "yes", "true", "on":
		return BoolValue(true)
	case "no", "false", "off":
		return BoolValue(false)
	default:
		return StringValue(s)
	}
}

func dateScalar(s string) Value {
	date, err := time.Parse("2006-1-2", s)
	if err != nil {
		return StringValue(s)
	}
	return Value{kind: Date, text: date.Format("2006-01-02")}
}

func symbolScalar(s string) Value {
	if m := scalarSymbol.FindStringSubmatch(s); m != nil {
		return Value{kind: Symbol, text: strings.TrimPrefix(m[1]+m[2], ":")}
	}
	return Value{kind: Symbol, text: s[1:]}
}

// base60Int reads h:m(:s) as seconds; two parts weigh as hours and minutes.
func base60Int(s string) Value {
	sum := int64(0)
	for i, part := range strings.Split(s, ":") {
		n, err := strconv.ParseInt(strings.ReplaceAll(part, "_", ""), 10, 64)
		if err != nil {
			return StringValue(s)
		}
		sum += n * []int64{3600, 60, 1}[i]
	}
	return intValue(sum)
}

func base60Float(s string) Value {
	sum := 0.0
	for i, part := range strings.Split(s, ":") {
		n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSuffix(part, "."), "_", ""), 64)
		if err != nil {
			return StringValue(s)
		}
		sum += n * []float64{3600, 60, 1}[i]
	}
	return floatValue(sum)
}

func floatScalar(s string) Value {
	digits := strings.NewReplacer(",", "", "_", "").Replace(s)
	f, err := strconv.ParseFloat(strings.TrimSuffix(digits, "."), 64)
	if err != nil && !math.IsInf(f, 0) {
		return StringValue(s)
	}
	return floatValue(f)
}

func intScalar(s string) Value {
	digits := strings.NewReplacer(",", "", "_", "").Replace(s)
	n, ok := new(big.Int).SetString(strings.TrimPrefix(digits, "+"), 0)
	if !ok {
		return StringValue(s)
	}
	if n.IsInt64() {
		return intValue(n.Int64())
	}
	return Value{kind: Int, text: n.String(), integer: math.MaxInt64}
}

func intValue(n int64) Value {
	return Value{kind: Int, text: strconv.FormatInt(n, 10), integer: n}
}

func floatValue(f float64) Value { return Value{kind: Float, text: rubyFloat(f)} }

// Helpers

// rubyFloat prints a number as Ruby's Float#to_s does.
func rubyFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		return mantissa + "e" + exponent
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

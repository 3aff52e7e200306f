#include "json.h"

#include <cmath>
#include <locale>
#include <sstream>

namespace filmrestore {

namespace {

constexpr int deepest = 64;

// Numbers go through streams of the classic locale: hosts set their own, and some write a comma for the point.
double to_number(const std::string &text) {
    std::istringstream stream(text);
    stream.imbue(std::locale::classic());
    double value = 0;
    stream >> value;
    if (!std::isfinite(value)) throw JsonError("a number is out of range");
    return value;
}

// The fewest digits, of 15 or more, that read back as the same number; with a point, so that it stays a float.
std::string to_text(double value) {
    if (!std::isfinite(value)) throw JsonError("a number is not finite");
    std::string text;
    for (int digits = 15; digits <= 17; ++digits) {
        std::ostringstream stream;
        stream.imbue(std::locale::classic());
        stream.precision(digits);
        stream << value;
        text = stream.str();
        if (to_number(text) == value) break;
    }
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

void append_utf8(std::string &out, std::uint32_t code) {
    const auto byte = [&out](std::uint32_t bits) { out.push_back(static_cast<char>(static_cast<unsigned char>(bits))); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xC0 | code >> 6);
        byte(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        byte(0xE0 | code >> 12);
        byte(0x80 | (code >> 6 & 0x3F));
        byte(0x80 | (code & 0x3F));
    } else {
        byte(0xF0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3F));
        byte(0x80 | (code >> 6 & 0x3F));
        byte(0x80 | (code & 0x3F));
    }
}

constexpr std::uint32_t not_utf8 = 0xFFFFFFFF;

// The code point at `at`, which moves behind it; `not_utf8`, and one byte on, where there is none.
std::uint32_t next_code(std::string_view text, std::size_t &at) {
    const auto byte = [&text](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
    const std::uint32_t lead = byte(at++);
    if (lead < 0x80) return lead;
    const int more = lead >= 0xF0 && lead < 0xF5 ? 3 : lead >= 0xE0 && lead < 0xF0 ? 2 : lead >= 0xC2 && lead < 0xE0 ? 1 : 0;
    if (more == 0 || at + static_cast<std::size_t>(more) > text.size()) return not_utf8;
    std::uint32_t code = lead & (0x3FU >> more);
    for (int i = 0; i < more; ++i) {
        const std::uint32_t next = byte(at + static_cast<std::size_t>(i));
        if ((next & 0xC0) != 0x80) return not_utf8;
        code = code << 6 | (next & 0x3F);
    }
    const std::uint32_t least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return not_utf8;
    at += static_cast<std::size_t>(more);
    return code;
}

void append_escape(std::string &out, std::uint32_t unit) {
    constexpr char digits[] = "0123456789abcdef";
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out.push_back(digits[unit >> shift & 0xF]);
}

void write_text(const std::string &text, std::string &out) {
    out.push_back('"');
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t code = next_code(text, at);
        if (code == not_utf8) code = 0xFFFD;
        switch (code) {
            case '"': out += "\\\""; continue;
            case '\\': out += "\\\\"; continue;
            case '\n': out += "\\n"; continue;
            case '\r': out += "\\r"; continue;
            case '\t': out += "\\t"; continue;
            case '\b': out += "\\b"; continue;
            case '\f': out += "\\f"; continue;
            default: break;
        }
        if (code >= 0x10000) {
            append_escape(out, 0xD800 + ((code - 0x10000) >> 10));
            append_escape(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
        } else if (code < 0x20 || code >= 0x7F) {
            append_escape(out, code);
        } else {
            out.push_back(static_cast<char>(code));
        }
    }
    out.push_back('"');
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    Json whole_text() {
        Json value = any(0);
        skip_space();
        if (at_ != text_.size()) throw JsonError("something follows the JSON");
        return value;
    }

  private:
    Json any(int depth) {
        if (depth > deepest) throw JsonError("JSON is nested too deeply");
        skip_space();
        switch (peek()) {
            case '{': return object(depth);
            case '[': return array(depth);
            case '"': return text();
            case 't': return word("true", true);
            case 'f': return word("false", false);
            case 'n': return word("null", Json());
            default: return number();
        }
    }

    Json object(int depth) {
        Json::Object members;
        ++at_;
        skip_space();
        if (take('}')) return members;
        do {
            skip_space();
            if (peek() != '"') throw JsonError("a key is missing in JSON");
            std::string key = text();
            skip_space();
            if (!take(':')) throw JsonError("a colon is missing in JSON");
            members[std::move(key)] = any(depth + 1);
            skip_space();
        } while (take(','));
        if (!take('}')) throw JsonError("a brace is missing in JSON");
        return members;
    }

    Json array(int depth) {
        Json::Array members;
        ++at_;
        skip_space();
        if (take(']')) return members;
        do {
            members.push_back(any(depth + 1));
            skip_space();
        } while (take(','));
        if (!take(']')) throw JsonError("a bracket is missing in JSON");
        return members;
    }

    std::string text() {
        std::string out;
        ++at_;
        while (true) {
            if (at_ >= text_.size()) throw JsonError("a text in JSON has no end");
            if (take('"')) return out;
            if (take('\\')) {
                append_utf8(out, escape());
                continue;
            }
            const std::uint32_t code = next_code(text_, at_);
            if (code == not_utf8) throw JsonError("JSON is not in UTF-8");
            if (code < 0x20) throw JsonError("a control character stands in JSON");
            append_utf8(out, code);
        }
    }

    std::uint32_t escape() {
        const char kind = peek();
        ++at_;
        switch (kind) {
            case 'n': return '\n';
            case 't': return '\t';
            case 'r': return '\r';
            case 'b': return '\b';
            case 'f': return '\f';
            case '"':
            case '\\':
            case '/': return static_cast<std::uint32_t>(kind);
            case 'u': break;
            default: throw JsonError("JSON has an unknown escape");
        }
        const std::uint32_t high = four_digits();
        if (high < 0xD800 || high >= 0xE000) return high;
        if (high >= 0xDC00 || !take('\\') || !take('u')) throw JsonError("JSON has half of a pair of escapes");
        const std::uint32_t low = four_digits();
        if (low < 0xDC00 || low >= 0xE000) throw JsonError("JSON has half of a pair of escapes");
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }

    std::uint32_t four_digits() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) throw JsonError("JSON has a bad escape");
            value = value << 4 | static_cast<std::uint32_t>(digit);
        }
        return value;
    }

    Json number() {
        const std::size_t start = at_;
        take('-');
        if (!take('0')) digits();
        bool is_whole = true;
        if (take('.')) {
            is_whole = false;
            digits();
        }
        if (take('e') || take('E')) {
            is_whole = false;
            if (!take('+')) take('-');
            digits();
        }
        const std::string text(text_.substr(start, at_ - start));
        if (!is_whole || text.size() > 17) return to_number(text);
        return static_cast<std::int64_t>(std::stoll(text));
    }

    void digits() {
        if (peek() < '0' || peek() > '9') throw JsonError("a digit is missing in JSON");
        while (peek() >= '0' && peek() <= '9') ++at_;
    }

    Json word(std::string_view expected, Json value) {
        if (text_.substr(at_, expected.size()) != expected) throw JsonError("JSON has an unknown word");
        at_ += expected.size();
        return value;
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    bool take(char wanted) {
        if (peek() != wanted || at_ >= text_.size()) return false;
        ++at_;
        return true;
    }

    void skip_space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Json::Json() = default;
Json::~Json() = default;
Json::Json(const Json &) = default;
Json::Json(Json &&) noexcept = default;
Json &Json::operator=(const Json &) = default;
Json &Json::operator=(Json &&) noexcept = default;
Json::Json(Array value) : value_(std::move(value)) {}
Json::Json(Object value) : value_(std::move(value)) {}

Json Json::parse(std::string_view text) { return Reader(text).whole_text(); }

std::string Json::written() const {
    std::string out;
    write(out);
    return out;
}

bool Json::has(const std::string &key) const { return is_object() && object().count(key) > 0; }

const Json &Json::operator[](const std::string &key) const {
    const auto found = object().find(key);
    if (found == object().end()) throw JsonError("there is no " + key);
    return found->second;
}

void Json::write(std::string &out) const {
    if (std::holds_alternative<std::nullptr_t>(value_)) {
        out += "null";
    } else if (const auto *flag = std::get_if<bool>(&value_)) {
        out += *flag ? "true" : "false";
    } else if (const auto *number = std::get_if<double>(&value_)) {
        out += to_text(*number);
    } else if (is_whole()) {
        out += std::to_string(whole());
    } else if (is_text()) {
        write_text(text(), out);
    } else if (is_object()) {
        char before = '{';
        for (const auto &[key, value] : object()) {
            out.push_back(before);
            write_text(key, out);
            out.push_back(':');
            value.write(out);
            before = ',';
        }
        out += before == '{' ? "{}" : "}";
    } else {
        char before = '[';
        for (const Json &value : array()) {
            out.push_back(before);
            value.write(out);
            before = ',';
        }
        out += before == '[' ? "[]" : "]";
    }
}

}  // namespace filmrestore

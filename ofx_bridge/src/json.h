// Just enough JSON for the wire: values, a strict reader, and a writer whose bytes are those of the golden files.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace filmrestore {

class JsonError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Json {
  public:
    using Array = std::vector<Json>;
    using Object = std::map<std::string, Json>;

    Json();
    ~Json();
    Json(const Json &);
    Json(Json &&) noexcept;
    Json &operator=(const Json &);
    Json &operator=(Json &&) noexcept;
    Json(bool value) : value_(value) {}
    Json(std::int64_t value) : value_(value) {}
    Json(int value) : value_(static_cast<std::int64_t>(value)) {}
    Json(double value) : value_(value) {}
    Json(const char *value) : value_(std::string(value)) {}
    Json(std::string value) : value_(std::move(value)) {}
    Json(Array value);
    Json(Object value);

    // Throws JsonError where the text is not one JSON value in UTF-8, or is nested deeper than 64.
    static Json parse(std::string_view text);
    // ASCII, without spaces, keys in alphabetical order. Throws JsonError on NaN and infinity.
    std::string written() const;

    bool is_object() const { return std::holds_alternative<Object>(value_); }
    bool is_text() const { return std::holds_alternative<std::string>(value_); }
    bool is_whole() const { return std::holds_alternative<std::int64_t>(value_); }
    bool has(const std::string &key) const;

    // The value as that kind, else JsonError.
    std::int64_t whole() const { return as<std::int64_t>("a whole number"); }
    const std::string &text() const { return as<std::string>("text"); }
    const Array &array() const { return as<Array>("a list"); }
    const Object &object() const { return as<Object>("an object"); }
    // A member of an object, else JsonError.
    const Json &operator[](const std::string &key) const;
    bool operator==(const Json &other) const { return value_ == other.value_; }

  private:
    template <typename T>
    const T &as(const char *kind) const {
        if (const T *value = std::get_if<T>(&value_)) return *value;
        throw JsonError(std::string("expected ") + kind);
    }
    void write(std::string &out) const;

    std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value_;
};

}  // namespace filmrestore

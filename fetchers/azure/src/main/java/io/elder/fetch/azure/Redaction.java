package io.elder.fetch.azure;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** Takes out of an answer what may hold a secret; the vendor's lists leave most of it out themselves. */
final class Redaction {
    /** Removed with all that is below. */
    private static final Set<String> SECRET = Set.of(
            "customdata",
            "userdata",
            // Of extensions of virtual machines: scripts, and what they are called with.
            "settings",
            "protectedsettings",
            "additionalunattendcontent",
            "configurationreference",
            "publishingusername",
            "machinekey",
            "httpproxy",
            "httpsproxy",
            "trustedca",
            "connectionstring");

    /** A text of such a name; an object of such a name says where a key is kept. */
    private static final Pattern SECRET_TEXT = Pattern.compile(
            ".*(password|passphrase|secret|accesskey|primarykey|secondarykey|sharedkey|accountkey|token)");

    /** Lists of names and values: the names stay. */
    private static final Set<String> NAMED_VALUES =
            Set.of("appsettings", "connectionstrings", "metadata", "environmentvariables");

    /** {@code hidden-link: /app-insights-conn-string} and its like. */
    private static final Pattern KEY_TAG = Pattern.compile("(?i)hidden-link:.*(conn-string|-key)");

    /** The signature of a shared access signature, which is a password within a URL. */
    private static final Pattern SIGNED = Pattern.compile("(?i)\\?[^\\s\"]*\\bsig=[^\\s\"]*");

    private Redaction() {}

    static void redact(JsonNode node) {
        switch (node) {
            case ObjectNode object -> redact(object);
            case ArrayNode array -> {
                for (int i = 0; i < array.size(); i++) {
                    JsonNode item = array.get(i);
                    if (item.isTextual()) {
                        array.set(i, unsigned(item.textValue()));
                    } else {
                        redact(item);
                    }
                }
            }
            default -> {
                // Its name has been looked at.
            }
        }
    }

    private static void redact(ObjectNode object) {
        for (Map.Entry<String, JsonNode> field : List.copyOf(object.properties())) {
            String name = field.getKey().toLowerCase(Locale.ROOT);
            JsonNode value = field.getValue();
            if (SECRET.contains(name)
                    || (value.isTextual() && SECRET_TEXT.matcher(name).matches())) {
                object.remove(field.getKey());
            } else if (value.isTextual()) {
                object.set(field.getKey(), unsigned(value.textValue()));
            } else if (NAMED_VALUES.contains(name)) {
                valuesOut(value);
            } else if (name.equals("tags")) {
                redactTags(value);
            } else {
                redact(value);
            }
        }
    }

    /** Tags are the customer's words, whatever they are called; function apps are tagged with the keys of what watches them. */
    private static void redactTags(JsonNode tags) {
        for (Map.Entry<String, JsonNode> tag : tags.properties()) {
            if (KEY_TAG.matcher(tag.getKey()).matches()) {
                tag.setValue(TextNode.valueOf(""));
            } else if (tag.getValue().isTextual()) {
                tag.setValue(unsigned(tag.getValue().textValue()));
            }
        }
    }

    private static void valuesOut(JsonNode named) {
        if (named instanceof ObjectNode object) {
            for (String name : List.copyOf(object.properties()).stream()
                    .map(Map.Entry::getKey)
                    .toList()) {
                object.putNull(name);
            }
        }
        for (JsonNode one : named) {
            if (one instanceof ObjectNode object) {
                object.remove(List.of("value", "connectionString", "slotSetting"));
                redact(object);
            }
        }
    }

    private static TextNode unsigned(String text) {
        return TextNode.valueOf(SIGNED.matcher(text).replaceAll(""));
    }
}

package io.elder.estate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.estate.Company.Machine;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An object in a vendor's form, written as in its documentation but with single quotes. {@code {name}} within a text stands
 * for a value; a text that is nothing else becomes the value itself, which may be a number, a list or an object.
 */
final class Shape {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(JsonReadFeature.ALLOW_SINGLE_QUOTES)
            .enable(JsonReadFeature.ALLOW_UNQUOTED_FIELD_NAMES)
            .build();

    private static final Pattern NAME = Pattern.compile("\\{(\\w+)}");

    private final JsonNode pattern;

    Shape(String text) {
        try {
            pattern = JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(text, e);
        }
    }

    ObjectNode of(Map<String, ?> values) {
        return (ObjectNode) filled(pattern, values);
    }

    <T> ArrayNode each(List<T> all, Function<T, Map<String, ?>> values) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        all.forEach(one -> list.add(of(values.apply(one))));
        return list;
    }

    /**
     * What all vendors want to know of a machine: {@code name, service, environment, number, hex, cores, gib, disk, ip,
     * since}.
     *
     * @param network the second part of its address
     */
    static Map<String, Object> values(Machine machine, int network) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("name", machine.name());
        values.put("service", machine.service());
        values.put("environment", machine.environment());
        values.put("number", machine.number());
        values.put("hex", "%012x".formatted(machine.number()));
        values.put("cores", machine.cores());
        values.put("gib", machine.gibibytes());
        values.put("disk", machine.gibibytes() * 8);
        values.put("ip", "10.%d.%d.%d".formatted(network, machine.number() / 250, 4 + machine.number() % 250));
        values.put("since", machine.since().toString());
        return values;
    }

    private static JsonNode filled(JsonNode pattern, Map<String, ?> values) {
        if (pattern.isObject()) {
            ObjectNode object = JsonNodeFactory.instance.objectNode();
            pattern.properties().forEach(field -> object.set(field.getKey(), filled(field.getValue(), values)));
            return object;
        }
        if (pattern.isArray()) {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            pattern.forEach(each -> list.add(filled(each, values)));
            return list;
        }
        return pattern.isTextual() ? filled(pattern.textValue(), values) : pattern;
    }

    private static JsonNode filled(String text, Map<String, ?> values) {
        Matcher whole = NAME.matcher(text);
        if (whole.matches()) {
            return JSON.valueToTree(value(whole.group(1), values));
        }
        return JsonNodeFactory.instance.textNode(NAME.matcher(text)
                .replaceAll(name -> Matcher.quoteReplacement(String.valueOf(value(name.group(1), values)))));
    }

    private static Object value(String name, Map<String, ?> values) {
        if (!values.containsKey(name)) {
            throw new IllegalArgumentException("{" + name + "} (expected: one of " + values.keySet() + ")");
        }
        return values.get(name);
    }

    /** A tree as XML, in which a list's elements have this name. */
    static String xml(String name, JsonNode value, String element) {
        if (value.isArray()) {
            List<String> elements = new ArrayList<>();
            value.forEach(each -> elements.add(xml(element, each, element)));
            return within(name, String.join("", elements));
        }
        if (value.isObject()) {
            List<String> fields = new ArrayList<>();
            value.properties().forEach(field -> fields.add(xml(field.getKey(), field.getValue(), element)));
            return within(name, String.join("", fields));
        }
        return within(name, value.asText().replace("&", "&amp;").replace("<", "&lt;"));
    }

    private static String within(String name, String content) {
        return "<" + name + ">" + content + "</" + name + ">";
    }
}

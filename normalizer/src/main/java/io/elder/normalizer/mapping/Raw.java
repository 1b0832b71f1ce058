package io.elder.normalizer.mapping;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** A raw resource as a mapping reads it: what is required throws, what may be absent says so. */
public final class Raw {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ResourceKey key;
    private final String path;
    private final JsonNode node;

    private Raw(ResourceKey key, String path, JsonNode node) {
        this.key = key;
        this.path = path;
        this.node = node;
    }

    public static Raw of(String key, String payload) {
        ResourceKey resource;
        try {
            resource = ResourceKey.parse(key);
        } catch (IllegalArgumentException e) {
            throw new RejectedRecord("key", key, "provider/account/kind/id");
        }
        try {
            return of(resource, JSON.readTree(payload));
        } catch (JsonProcessingException e) {
            // Its message quotes the payload, which may be personal: the place is enough. What is too deep or too long
            // has none.
            String what = e.getLocation() == null
                    ? "too deep or too long"
                    : "broken at " + e.getLocation().offsetDescription();
            throw new RejectedRecord("payload", what, "a JSON object");
        }
    }

    public static Raw of(ResourceKey key, JsonNode payload) {
        if (!payload.isObject()) {
            throw new RejectedRecord("payload", payload.getNodeType(), "a JSON object");
        }
        return new Raw(key, "", payload);
    }

    public ResourceKey key() {
        return key;
    }

    /** A nested object; empty where it is absent. */
    public Raw in(String field) {
        JsonNode nested = node.path(field);
        if (nested.isMissingNode() || nested.isNull()) {
            return new Raw(key, path + field + ".", JSON.createObjectNode());
        }
        if (!nested.isObject()) {
            throw new RejectedRecord(path + field, nested, "an object");
        }
        return new Raw(key, path + field + ".", nested);
    }

    public String text(String field) {
        return maybeText(field).orElseThrow(() -> new RejectedRecord(path + field, "nothing", "a text"));
    }

    /** Absent, null and blank are all empty; a number or an object where text belongs is rejected. */
    public Optional<String> maybeText(String field) {
        JsonNode value = node.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return Optional.empty();
        }
        if (!value.isTextual()) {
            throw new RejectedRecord(path + field, value, "a text");
        }
        return value.textValue().isBlank() ? Optional.empty() : Optional.of(value.textValue());
    }

    public boolean yes(String field) {
        JsonNode value = node.path(field);
        if (!value.isBoolean()) {
            throw new RejectedRecord(path + field, value, "true or false");
        }
        return value.booleanValue();
    }

    public Optional<Boolean> maybeYes(String field) {
        JsonNode value = node.path(field);
        return value.isMissingNode() || value.isNull() ? Optional.empty() : Optional.of(yes(field));
    }

    public Optional<Long> maybeWhole(String field) {
        JsonNode value = node.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return Optional.empty();
        }
        if (!value.isIntegralNumber() || !value.canConvertToLong()) {
            throw new RejectedRecord(path + field, value, "a whole number");
        }
        return Optional.of(value.longValue());
    }

    /** The objects of a list; empty where it is absent. */
    public List<Raw> objects(String field) {
        JsonNode value = node.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return List.of();
        }
        if (!value.isArray()) {
            throw new RejectedRecord(path + field, value.getNodeType(), "a list of objects");
        }
        List<Raw> objects = new ArrayList<>();
        for (JsonNode one : value) {
            if (!one.isObject()) {
                throw new RejectedRecord(path + field, one.getNodeType(), "a list of objects");
            }
            objects.add(new Raw(key, path + field + "[" + objects.size() + "].", one));
        }
        return objects;
    }

    /** The texts of an object by their names; empty where it is absent. */
    public Map<String, String> textsByName(String field) {
        Raw object = in(field);
        Map<String, String> texts = new TreeMap<>();
        object.node
                .fieldNames()
                .forEachRemaining(name -> texts.put(name, object.maybeText(name).orElse("")));
        return texts;
    }

    /** The texts of a list; empty where it is absent. */
    public List<String> texts(String field) {
        JsonNode value = node.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return List.of();
        }
        if (!value.isArray()) {
            throw new RejectedRecord(path + field, value, "a list of texts");
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode one : value) {
            if (!one.isTextual()) {
                throw new RejectedRecord(path + field, one, "a list of texts");
            }
            texts.add(one.textValue());
        }
        return texts;
    }

    /** Whatever is there, for an attribute; empty where nothing is. */
    public Optional<JsonNode> maybe(String field) {
        JsonNode value = node.path(field);
        return value.isMissingNode() || value.isNull() || (value.isContainerNode() && value.isEmpty())
                ? Optional.empty()
                : Optional.of(value);
    }

    /** The names of this object's fields, sorted. */
    public List<String> fields() {
        List<String> names = new ArrayList<>();
        node.fieldNames().forEachRemaining(names::add);
        names.sort(null);
        return names;
    }

    public Optional<String> firstText(String field) {
        return texts(field).stream().filter(text -> !text.isBlank()).findFirst();
    }
}

package io.elder.fetch.vcenter;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import javax.xml.XMLConstants;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * An element of an answer. Names are without their namespaces.
 *
 * @param text what stands directly within it
 */
record Xml(String name, Map<String, String> attributes, List<Xml> children, String text) {
    static final Xml NOTHING = new Xml("", Map.of(), List.of(), "");

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /** {@code xsi:type}, which must not be taken for the plain {@code type} of a reference. */
    private static final String XSI_TYPE = "xsi:type";

    /** Fields that are lists in the schema, though there may be one: answers do not say so themselves. */
    private static final Set<String> LISTS = Set.of("ipAddress");

    /** Parses a document. Neither a DTD nor anything outside of it is read. */
    static Xml parse(byte[] document) throws XMLStreamException {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_COALESCING, true);
        XMLStreamReader reader = factory.createXMLStreamReader(new ByteArrayInputStream(document));
        Deque<Open> open = new ArrayDeque<>();
        Xml root = NOTHING;
        while (reader.hasNext()) {
            switch (reader.next()) {
                case XMLStreamConstants.START_ELEMENT -> open.push(new Open(reader.getLocalName(), attributes(reader)));
                case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA -> {
                    if (!open.isEmpty()) {
                        open.peek().text.append(reader.getText());
                    }
                }
                case XMLStreamConstants.END_ELEMENT -> {
                    Xml closed = open.pop().close();
                    if (open.isEmpty()) {
                        root = closed;
                    } else {
                        open.peek().children.add(closed);
                    }
                }
                default -> {
                    // Comments and the like.
                }
            }
        }
        return root;
    }

    private static final class Open {
        private final String name;
        private final Map<String, String> attributes;
        private final List<Xml> children = new ArrayList<>();
        private final StringBuilder text = new StringBuilder();

        Open(String name, Map<String, String> attributes) {
            this.name = name;
            this.attributes = attributes;
        }

        Xml close() {
            return new Xml(name, attributes, List.copyOf(children), text.toString());
        }
    }

    private static Map<String, String> attributes(XMLStreamReader reader) {
        Map<String, String> attributes = new HashMap<>();
        for (int i = 0; i < reader.getAttributeCount(); i++) {
            String name = reader.getAttributeLocalName(i);
            String value = reader.getAttributeValue(i);
            boolean isInstance = XMLConstants.W3C_XML_SCHEMA_INSTANCE_NS_URI.equals(reader.getAttributeNamespace(i));
            if (isInstance && name.equals("type")) {
                attributes.put(XSI_TYPE, value.substring(value.indexOf(':') + 1));
            } else {
                attributes.put(name, value);
            }
        }
        return Map.copyOf(attributes);
    }

    /** What the answer says that this is, such as {@code string} or {@code ArrayOfGuestNicInfo}. */
    String type() {
        return attribute(XSI_TYPE);
    }

    String attribute(String name) {
        return attributes.getOrDefault(name, "");
    }

    Optional<Xml> maybe(String child) {
        return all(child).findFirst();
    }

    Stream<Xml> all(String child) {
        return children.stream().filter(each -> each.name.equals(child));
    }

    /** The text of a child; empty where there is none. */
    String text(String child) {
        return maybe(child).map(Xml::text).orElse("");
    }

    /**
     * As JSON: numbers and truth values where the answer says that they are, references as their type and value, arrays as
     * lists, data objects as objects.
     */
    JsonNode json() {
        if (attributes.containsKey("type")) {
            return JSON.objectNode().put("type", attribute("type")).put("value", text);
        }
        if (type().startsWith("ArrayOf")) {
            ArrayNode list = JSON.arrayNode();
            children.forEach(each -> list.add(each.json()));
            return list;
        }
        return children.isEmpty() ? leaf() : object();
    }

    private JsonNode leaf() {
        return switch (type()) {
            case "int", "long", "short", "byte" -> JSON.numberNode(Long.parseLong(text.strip()));
            case "float", "double" -> JSON.numberNode(Double.parseDouble(text.strip()));
            case "boolean" -> JSON.booleanNode(Set.of("true", "1").contains(text.strip()));
            default -> JSON.textNode(text);
        };
    }

    private ObjectNode object() {
        ObjectNode object = JSON.objectNode();
        for (Xml child : children) {
            JsonNode value = child.json();
            JsonNode before = object.get(child.name);
            if (before instanceof ArrayNode several) {
                several.add(value);
            } else if (before != null) {
                object.set(child.name, JSON.arrayNode().add(before).add(value));
            } else {
                object.set(
                        child.name,
                        LISTS.contains(child.name) ? JSON.arrayNode().add(value) : value);
            }
        }
        return object;
    }
}

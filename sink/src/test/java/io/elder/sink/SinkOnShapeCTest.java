package io.elder.sink;

final class SinkOnShapeCTest extends SinkContract {
    SinkOnShapeCTest() {
        super(ElderShape.C);
    }
}

"""Serializers, views and routes of the baseline."""

from rest_framework import routers, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from bench.baseline.models import Category, Product


class CategorySerializer(serializers.ModelSerializer[Category]):
    class Meta:
        model = Category
        fields = ["id", "name", "slug"]


class ProductSerializer(serializers.ModelSerializer[Product]):
    category = CategorySerializer()

    class Meta:
        model = Product
        fields = ["id", "name", "slug", "description", "price", "stock", "created_at", "category"]


class ProductViewSet(viewsets.ModelViewSet[Product]):
    queryset = Product.objects.select_related("category").order_by("id")
    serializer_class = ProductSerializer

    @action(detail=True, methods=["post"])
    def purchase(self, request: Request, pk: str) -> Response:
        """The classic bug, on purpose: read, compute, write."""
        product = self.get_object()
        if product.stock < 1:
            return Response({"detail": "out of stock"}, status=409)
        product.stock -= 1
        product.save()
        return Response({"status": "purchased", "stock": product.stock})


router = routers.DefaultRouter()
router.register("products", ProductViewSet)
urlpatterns = router.urls

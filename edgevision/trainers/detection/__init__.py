"""What learning to find objects needs: images with boxes, which place of a head answers for which object, losses."""
